package main

import "github.com/spf13/cobra"

func newUpCommand(*Env) *cobra.Command {
	return &cobra.Command{Use: "up", Hidden: true}
}
