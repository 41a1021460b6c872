package kindcluster

import (
	"slices"
	"testing"
)

func TestEtcdDoesNotSync(t *testing.T) {
	const own = "kind: ClusterConfiguration\nclusterName: mine\n"
	config, err := completeConfig([]byte("kubeadmConfigPatches:\n- |\n  kind: ClusterConfiguration\n  clusterName: "+
		"mine\n"), Engine{CgroupVersion: "2"}, false)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{own, etcdPatch}; !slices.Equal(config.KubeadmConfigPatches, want) {
		t.Errorf("patches %q, want %q", config.KubeadmConfigPatches, want)
	}
}
