package main

import "github.com/spf13/cobra"

func newStandinCommand(*Env) *cobra.Command {
	return &cobra.Command{Use: "standin", Hidden: true}
}
