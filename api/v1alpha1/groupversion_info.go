// SPDX-License-Identifier: Apache-2.0

// Package v1alpha1 holds the FeedbackBridge object, the contract between the operator and the bot that it runs
// (file names, the Lease and its report), and the names of conditions and reasons.
//
// +kubebuilder:object:generate=true
// +kubebuilder:ac:generate=true
// +groupName=feedbackbridge.dev
package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupName is the API group of every type here.
const GroupName = "feedbackbridge.dev"

// Kind is the kind of the bridge object.
const Kind = "FeedbackBridge"

// GroupVersion is the group and version of every type here.
var GroupVersion = schema.GroupVersion{Group: GroupName, Version: "v1alpha1"}

// SchemeGroupVersion is the name by which generated apply configurations know GroupVersion.
var SchemeGroupVersion = GroupVersion

// AddToScheme registers the types with a scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion, &FeedbackBridge{}, &FeedbackBridgeList{})
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
