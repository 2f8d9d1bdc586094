// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"sigs.k8s.io/yaml"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// maxManifest bounds a manifest's size; Kubernetes' own bound for an object is 1.5 MiB.
const maxManifest = 2 << 20

// envPod is set in the pods that the operator makes.
const envPod = "POD_NAME"

// loadManifest reads a FeedbackBridge from a YAML or JSON file, with the defaults filled in and checked. A field that it
// does not know is a person's slip of the pen. In a pod the operator wrote the manifest, which may be newer than the
// bot: what such a field asks for is not the bot's to do, and the log says so.
func loadManifest(path string) (*v1alpha1.FeedbackBridge, error) {
	data, err := readBounded(path, maxManifest)
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	bridge := &v1alpha1.FeedbackBridge{}
	if err := yaml.UnmarshalStrict(data, bridge); err != nil {
		*bridge = v1alpha1.FeedbackBridge{}
		if os.Getenv(envPod) == "" || yaml.Unmarshal(data, bridge) != nil {
			return nil, fmt.Errorf("manifest %s: %w", path, err)
		}
		newLogger("warn").Warn("the manifest has what this version of the bot does not know, and leaves undone", "error", err)
	}
	if want := v1alpha1.GroupVersion.String(); bridge.APIVersion != want || bridge.Kind != v1alpha1.Kind {
		return nil, fmt.Errorf("manifest %s: must be of apiVersion %s and kind %s", path, want, v1alpha1.Kind)
	}
	bridge.SetDefaults()
	if err := bridge.Validate(); err != nil {
		return nil, fmt.Errorf("manifest %s:\n%w", path, err)
	}
	return bridge, nil
}

func readBounded(path string, most int64) (data []byte, err error) {
	f, err := os.Open(path) // #nosec G304 -- the path is the operator's or the person's own choice
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	data, err = io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", path, most)
	}
	return data, err
}
