package main

import "github.com/spf13/cobra"

func newDeskCommand(*Env) *cobra.Command {
	return &cobra.Command{Use: "desk", Hidden: true}
}
