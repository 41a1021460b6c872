// Package recordings plays recordings of real Linkerd against package mesh. It consists of tests;
// testdata has the recordings, and docs/linkerd.md says where the model differs.
package recordings
