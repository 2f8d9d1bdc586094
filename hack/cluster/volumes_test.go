// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func claim(uid string, change func(*corev1.PersistentVolumeClaim)) *corev1.PersistentVolumeClaim {
	class := "local"
	c := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "support", Name: "shop", UID: types.UID(uid)},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: &class,
			AccessModes:      []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("3Gi")},
			},
		},
		Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending},
	}
	if change != nil {
		change(c)
	}
	return c
}

func volume(name string, phase corev1.PersistentVolumePhase, change func(*corev1.PersistentVolume)) *corev1.PersistentVolume {
	v := volumeFor(claim("x", nil), "/volumes")
	v.Name, v.Status.Phase = name, phase
	if change != nil {
		change(v)
	}
	return v
}

func TestPlanVolumes(t *testing.T) {
	now := metav1.Now()
	other := "other"
	claims := []*corev1.PersistentVolumeClaim{
		claim("waits", nil),
		claim("made", nil),
		claim("bound", func(c *corev1.PersistentVolumeClaim) { c.Status.Phase = corev1.ClaimBound }),
		claim("named", func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeName = "by-hand" }),
		claim("deleted", func(c *corev1.PersistentVolumeClaim) { c.DeletionTimestamp = &now }),
		claim("classless", func(c *corev1.PersistentVolumeClaim) { c.Spec.StorageClassName = nil }),
		claim("elsewhere", func(c *corev1.PersistentVolumeClaim) { c.Spec.StorageClassName = &other }),
	}
	volumes := []*corev1.PersistentVolume{
		volume("pvc-made", corev1.VolumeAvailable, nil),
		volume("released", corev1.VolumeReleased, nil),
		volume("in-use", corev1.VolumeBound, nil),
		volume("going", corev1.VolumeReleased, func(v *corev1.PersistentVolume) { v.DeletionTimestamp = &now }),
		volume("by-hand", corev1.VolumeReleased, func(v *corev1.PersistentVolume) { v.Annotations = nil }),
		volume("kept", corev1.VolumeReleased, func(v *corev1.PersistentVolume) {
			v.Spec.PersistentVolumeReclaimPolicy = corev1.PersistentVolumeReclaimRetain
		}),
	}
	create, remove := planVolumes("local", "/volumes", claims, volumes)
	var got [2][]string
	for i, list := range [][]*corev1.PersistentVolume{create, remove} {
		for _, v := range list {
			got[i] = append(got[i], v.Name)
		}
	}
	if diff := cmp.Diff([2][]string{{"pvc-waits"}, {"released"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestVolumeFitsItsClaim(t *testing.T) {
	v := volumeFor(claim("1", nil), "/volumes")
	size := v.Spec.Capacity[corev1.ResourceStorage]
	got := []string{v.Spec.HostPath.Path, size.String(), v.Spec.ClaimRef.Namespace + "/" + v.Spec.ClaimRef.Name, string(v.Spec.ClaimRef.UID)}
	if diff := cmp.Diff([]string{"/volumes/pvc-1", "3Gi", "support/shop", "1"}, got); diff != "" {
		t.Error(diff)
	}
}
