package kind

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coalmine/lab/cluster/names"
	"coalmine/lab/scenario"
)

// scenarioVolumeName is the volume with the scenario's folder.
const scenarioVolumeName = "scenario"

// Keys of a ConfigMap with a scenario. The log's name may be a path, which a key cannot be.
const (
	keyScenario = scenario.FileScenario
	keyLog      = "access-log"
)

// maxLog is the space for the log in a ConfigMap next to the scenario: Kubernetes limits it to 1
// MiB (documentation, concepts/configuration/configmap).
const maxLog = 900 << 10

// scenarioConfigMap returns a ConfigMap with the files of a scenario.
func scenarioConfigMap(s *scenario.Scenario, namespace, name string) (*corev1.ConfigMap, error) {
	if len(s.Source) == 0 {
		return nil, errors.New("the scenario was not read from a file, so its services could not read it")
	}
	m := &corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: namespace,
			// Flagger would copy it for the primary, which reads the same scenario (flagger,
			// pkg/canary/config_tracker.go).
			Annotations: map[string]string{"flagger.app/config-tracking": "disabled"},
		},
		Data: map[string]string{keyScenario: string(s.Source)},
	}
	if s.LogName() == "" {
		return m, nil
	}
	log, err := gzipped(s.Log)
	if err != nil {
		return nil, err
	}
	if len(log) > maxLog {
		return nil, fmt.Errorf("the access log %s has %d KiB compressed, and a ConfigMap has room for %d: play it "+
			"in the sim, or shorten it",
			s.LogName(), len(log)>>10, maxLog>>10)
	}
	m.BinaryData = map[string][]byte{keyLog: log}
	return m, nil
}

// gzipped returns a log compressed with gzip; its reader detects that by the first bytes.
func gzipped(log []byte) ([]byte, error) {
	if bytes.HasPrefix(log, []byte{0x1f, 0x8b}) {
		return log, nil
	}
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(log)
	err = errors.Join(err, w.Close())
	return b.Bytes(), err
}

// scenarioVolume mounts a ConfigMap of [scenarioConfigMap] as a scenario's folder, with other keys
// next to it.
func scenarioVolume(s *scenario.Scenario, configMap string, others ...string) corev1.Volume {
	mode := int32(0o444)
	items := []corev1.KeyToPath{{Key: keyScenario, Path: scenario.FileScenario}}
	if name := s.LogName(); name != "" {
		items = append(items, corev1.KeyToPath{Key: keyLog, Path: name})
	}
	for _, key := range others {
		items = append(items, corev1.KeyToPath{Key: key, Path: key})
	}
	return corev1.Volume{Name: scenarioVolumeName,
		VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: configMap}, DefaultMode: &mode, Items: items,
		}}}
}

func scenarioMount() corev1.VolumeMount {
	return corev1.VolumeMount{Name: scenarioVolumeName, MountPath: names.ScenarioDir, ReadOnly: true}
}
