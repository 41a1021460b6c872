package main

import "github.com/spf13/cobra"

func newDownCommand(*Env) *cobra.Command {
	return &cobra.Command{Use: "down", Hidden: true}
}
