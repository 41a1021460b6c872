package indexedjob

import (
	"path"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Paths in the containers. The image has the program and nothing else.
const (
	program = "/coalmine"
	mount   = "/work"
)

// nobody is the user without privileges, who owns what is written to the volume.
const nobody = 65534

// retries is how often a chunk is tried again.
const retries = 2

// lifetime is how long objects that nobody deleted stay, in seconds.
const lifetime = 24 * 60 * 60

// labels of all objects of a grading.
func (r *run) labels() map[string]string {
	return map[string]string{"app.kubernetes.io/name": "coalmine-grade", "app.kubernetes.io/instance": r.name}
}

func (r *run) meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: r.name, Namespace: r.Namespace, Labels: r.labels()}
}

// folder is the folder of the grading in the volume.
func (r *run) folder() string { return path.Join(mount, r.name) }

// job plays the chunks. One that fails does not keep the others from being played.
func (r *run) job(chunks int) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: r.meta(), Spec: batchv1.JobSpec{
		CompletionMode:          new(batchv1.IndexedCompletion),
		Completions:             new(int32(chunks)),
		Parallelism:             new(int32(min(r.Pods, chunks))),
		BackoffLimitPerIndex:    new(int32(retries)),
		MaxFailedIndexes:        new(int32(chunks)),
		TTLSecondsAfterFinished: new(int32(lifetime)),
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: r.labels()},
			Spec:       r.pod("play", r.folder()),
		},
	}}
}

// files is the pod through which files get into the volume and out of it.
func (r *run) files() *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: r.meta(), Spec: r.pod("wait")}
	p.Spec.ActiveDeadlineSeconds = new(int64(lifetime))
	return p
}

// pod runs the program with the volume, and without rights: submissions are hostile.
func (r *run) pod(args ...string) corev1.PodSpec {
	small := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"),
		corev1.ResourceMemory: resource.MustParse("256Mi")}
	return corev1.PodSpec{
		RestartPolicy:                corev1.RestartPolicyNever,
		AutomountServiceAccountToken: new(false),
		EnableServiceLinks:           new(false),
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: new(true), RunAsUser: new(int64(nobody)),
			RunAsGroup: new(int64(nobody)), FSGroup: new(int64(nobody)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{{
			Name: "coalmine", Image: r.Image, ImagePullPolicy: corev1.PullIfNotPresent,
			Command: append([]string{program, Verb}, args...),
			Env:     []corev1.EnvVar{{Name: "HOME", Value: "/tmp"}, {Name: "TMPDIR", Value: "/tmp"}},
			Resources: corev1.ResourceRequirements{Requests: small,
				Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("2Gi")}},
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: new(false),
				ReadOnlyRootFilesystem: new(true),
				Capabilities:           &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
			VolumeMounts: []corev1.VolumeMount{{Name: "work", MountPath: mount}, {Name: "tmp", MountPath: "/tmp"}},
		}},
		Volumes: []corev1.Volume{
			{Name: "work", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: r.Claim}}},
			{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		},
	}
}
