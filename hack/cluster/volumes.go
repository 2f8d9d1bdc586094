// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
)

const (
	provisionerName       = "feedbackbridge.dev/local-folder"
	provisionedAnnotation = "pv.kubernetes.io/provisioned-by"
)

// provisioner gives every claim of the local storage class a folder of this machine, and removes it with the claim.
type provisioner struct {
	client  kubernetes.Interface
	folder  string
	class   string
	claims  listers.PersistentVolumeClaimLister
	volumes listers.PersistentVolumeLister
}

// provisionVolumes works until ctx ends.
func provisionVolumes(ctx context.Context, client kubernetes.Interface, folder, class string) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	core := factory.Core().V1()
	changed := make(chan struct{}, 1)
	signal := func() {
		select {
		case changed <- struct{}{}:
		default: // one is waiting already
		}
	}
	for _, informer := range []cache.SharedIndexInformer{
		core.PersistentVolumeClaims().Informer(), core.PersistentVolumes().Informer(),
	} {
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    func(any) { signal() },
			UpdateFunc: func(any, any) { signal() },
			DeleteFunc: func(any) { signal() },
		})
		if err != nil {
			return fmt.Errorf("watch claims and volumes: %w", err)
		}
	}
	p := provisioner{
		client: client, folder: folder, class: class,
		claims: core.PersistentVolumeClaims().Lister(), volumes: core.PersistentVolumes().Lister(),
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	factory.WaitForCacheSync(ctx.Done())
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-retry.C:
		}
		if err := p.settle(ctx); err != nil {
			slog.Error("claims are not settled; trying again", "error", err)
			retry.Reset(time.Second)
		}
	}
}

// settle makes the volumes that are missing and removes those that were released.
func (p provisioner) settle(ctx context.Context) error {
	claims, err := p.claims.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("list claims: %w", err)
	}
	volumes, err := p.volumes.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("list volumes: %w", err)
	}
	create, remove := planVolumes(p.class, p.folder, claims, volumes)
	for _, volume := range create {
		path := volume.Spec.HostPath.Path
		if err := makeFolder(path); err != nil {
			return err
		}
		_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create volume %s: %w", volume.Name, err)
		}
		slog.Info("volume made", "volume", volume.Name, "folder", path,
			"claim", volume.Spec.ClaimRef.Namespace+"/"+volume.Spec.ClaimRef.Name)
	}
	for _, volume := range remove {
		if err := os.RemoveAll(filepath.Join(p.folder, volume.Name)); err != nil {
			return fmt.Errorf("remove the folder of volume %s: %w", volume.Name, err)
		}
		err := p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete volume %s: %w", volume.Name, err)
		}
		slog.Info("volume removed", "volume", volume.Name)
	}
	return nil
}

// makeFolder makes it writable for everyone: fsGroup does nothing for folders of the machine.
func makeFolder(path string) error {
	if err := os.MkdirAll(path, 0o777); err != nil { //nolint:gosec // see above
		return fmt.Errorf("make a volume's folder: %w", err)
	}
	if err := os.Chmod(path, 0o777); err != nil { //nolint:gosec // the umask took away what MkdirAll gave
		return fmt.Errorf("open a volume's folder to pods: %w", err)
	}
	return nil
}

// planVolumes says which volumes to create for claims that wait, and which to remove because their claim is gone.
func planVolumes(class, folder string, claims []*corev1.PersistentVolumeClaim, volumes []*corev1.PersistentVolume) (
	create, remove []*corev1.PersistentVolume,
) {
	known := make(map[string]bool)
	for _, v := range volumes {
		known[v.Name] = true
		released := v.Status.Phase == corev1.VolumeReleased && v.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimDelete
		if v.Annotations[provisionedAnnotation] == provisionerName && released && v.DeletionTimestamp == nil {
			remove = append(remove, v)
		}
	}
	for _, c := range claims {
		waits := c.Status.Phase == corev1.ClaimPending && c.Spec.VolumeName == "" && c.DeletionTimestamp == nil
		if !waits || c.Spec.StorageClassName == nil || *c.Spec.StorageClassName != class {
			continue
		}
		if v := volumeFor(c, folder); !known[v.Name] {
			create = append(create, v)
		}
	}
	return create, remove
}

func volumeFor(c *corev1.PersistentVolumeClaim, folder string) *corev1.PersistentVolume {
	name := "pvc-" + string(c.UID)
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{provisionedAnnotation: provisionerName}},
		Spec: corev1.PersistentVolumeSpec{
			StorageClassName:              *c.Spec.StorageClassName,
			AccessModes:                   c.Spec.AccessModes,
			VolumeMode:                    c.Spec.VolumeMode,
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: c.Spec.Resources.Requests[corev1.ResourceStorage]},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: c.Namespace, Name: c.Name, UID: c.UID,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: filepath.Join(folder, name)},
			},
		},
	}
}
