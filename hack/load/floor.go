// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
)

// quiet is how long nothing is written when all is taken for done.
const quiet = 10 * time.Second

// record lets the operator work without a bridge, whose memory it notes, and with one, whose children it returns.
func record(ctx context.Context, o options, dir string, r *report) (children []applied, err error) {
	p, err := startPlane(ctx, dir, "Request")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	op, err := startOperator(o, p, filepath.Join(dir, "operator.log"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, op.stop()) }()
	if r.empty, err = op.memory(ctx); err != nil {
		return nil, err
	}
	one := recordedBridge()
	if err := create(ctx, p, []*bridge{one}, 0); err != nil {
		return nil, err
	}
	progress("recording what the operator applies for one bridge")
	seen, err := p.requests.waitQuiet(ctx, quiet)
	if err != nil {
		return nil, err
	}
	if len(seen.patches) == 0 {
		return nil, errors.New("the operator applied nothing")
	}
	for i := range seen.patches {
		a := &seen.patches[i]
		a.patch = bytes.ReplaceAll(a.patch, []byte(one.uid), []byte(recordedUID))
	}
	return seen.patches, nil
}

// recordedUID stands for the bridge's uid in a recorded patch; as long as a real one.
const recordedUID = "00000000-0000-0000-0000-000000000000"

// recordedBridge has names that no other has.
func recordedBridge() *bridge { return &bridge{namespace: "load-99999", name: "bridge-99999"} }

// floor is a bare client that writes what the operator writes, for as many bridges, to an API server of its own.
type floor struct {
	o        options
	plane    *plane
	api      rest.Interface
	bridges  []*bridge
	children []applied
	written  int // bridges
}

// startFloor makes the bridges that the bare client writes the children of.
func startFloor(ctx context.Context, o options, dir string, children []applied) (f *floor, err error) {
	p, err := startPlane(ctx, dir, "Metadata")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.stop())
		}
	}()
	f = &floor{o: o, plane: p, bridges: nameBridges(o.bridges, o.namespaces), children: children}
	progress("floor: creating %d bridges", o.bridges)
	if err := create(ctx, p, f.bridges, o.others); err != nil {
		return nil, err
	}
	if f.api, err = bareClient(p.account); err != nil {
		return nil, err
	}
	return f, nil
}

// write writes the children of the next bridges, until they exist for so many in all.
func (f *floor) write(ctx context.Context, bridges int) error {
	first := f.written
	f.written = bridges
	return each(ctx, bridges-first, f.o.inFlight, func(ctx context.Context, i int) error {
		for _, child := range f.children {
			if err := child.replay(ctx, f.api, f.bridges[first+i]); err != nil {
				return err
			}
		}
		return nil
	})
}

// end sees that the bare client made what the operator makes.
func (f *floor) end(ctx context.Context) error {
	_, err := f.plane.requests.waitUntil(ctx, "the floor's objects exist", func(t tally) bool {
		return t.created == f.o.bridges*len(f.children)
	})
	return errors.Join(err, f.plane.stop())
}

// bareClient talks as the operator's client does: protocol buffers, no limit of its own.
func bareClient(account *rest.Config) (rest.Interface, error) {
	config := rest.CopyConfig(account)
	config.UserAgent = "floor"
	config.ContentConfig = rest.ContentConfig{
		AcceptContentTypes:   "application/vnd.kubernetes.protobuf",
		NegotiatedSerializer: serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion(),
	}
	api, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("make the bare client: %w", err)
	}
	return api, nil
}

// replay applies a recorded child as another bridge's.
func (a applied) replay(ctx context.Context, api rest.Interface, b *bridge) error {
	one := recordedBridge()
	rename := strings.NewReplacer(one.namespace, b.namespace, one.name, b.name, recordedUID, string(b.uid))
	err := api.Patch(types.ApplyPatchType).
		AbsPath(rename.Replace(a.path())).
		Param("fieldManager", "floor").
		Param("force", "true").
		Body([]byte(rename.Replace(string(a.patch)))).
		Do(ctx).Error()
	if err != nil {
		return fmt.Errorf("apply %s of %s: %w", a.resource, b.name, err)
	}
	return nil
}

// path is an object's URL path.
func (o object) path() string {
	group := path.Join("/apis", o.group, o.version)
	if o.group == "" {
		group = path.Join("/api", o.version)
	}
	return path.Join(group, "namespaces", o.namespace, o.resource, o.name)
}
