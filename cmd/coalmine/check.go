package main

import "github.com/spf13/cobra"

func newCheckCommand(*Env) *cobra.Command {
	return &cobra.Command{Use: "check", Hidden: true}
}
