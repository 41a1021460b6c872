package main

import "github.com/spf13/cobra"

func newBundleCommand(*Env) *cobra.Command {
	return &cobra.Command{Use: "bundle", Hidden: true}
}
