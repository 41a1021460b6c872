package main

import "github.com/spf13/cobra"

func newTrafficCommand(*Env) *cobra.Command {
	return &cobra.Command{Use: "traffic", Hidden: true}
}
