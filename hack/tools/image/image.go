// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// spec is what an image is made of.
type spec struct {
	binary     string // host path
	entrypoint string // absolute path in the image
	user       string // UID:GID
	files      []file
}

// file is one more file of the image: dst is an absolute path in it.
type file struct {
	src, dst string
	mode     int64
}

// architectures maps ELF machines to the names that image configs use.
var architectures = map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}

// epoch stands for every time in the image, so that equal inputs give equal digests.
var epoch = time.Unix(0, 0).UTC()

// build makes the image: one layer, a config that names platform, user and entry point.
func build(s spec) (v1.Image, error) {
	arch, err := staticArchitecture(s.binary)
	if err != nil {
		return nil, err
	}
	content, err := layerTar(append(slices.Clone(s.files), file{src: s.binary, dst: s.entrypoint, mode: 0o755}))
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(content)), nil
	})
	if err != nil {
		return nil, fmt.Errorf("make layer: %w", err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, fmt.Errorf("append layer: %w", err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("read config: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: epoch}
	config.Config = v1.Config{User: s.user, Entrypoint: []string{s.entrypoint}, WorkingDir: "/"}
	return mutate.ConfigFile(img, config)
}

// staticArchitecture reads a binary's architecture and refuses one that needs a loader, which no empty image has.
func staticArchitecture(binary string) (string, error) {
	f, err := elf.Open(binary)
	if err != nil {
		return "", fmt.Errorf("read binary: %w", err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return "", fmt.Errorf("%s is linked dynamically: build it with CGO_ENABLED=0", binary)
		}
	}
	arch, known := architectures[f.Machine]
	if !known {
		return "", fmt.Errorf("%s is for %s, which is not supported", binary, f.Machine)
	}
	return arch, nil
}

// layerTar packs the files, sorted, with their parent directories, owned by root.
func layerTar(files []file) ([]byte, error) {
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.dst, b.dst) })
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	seen := map[string]bool{"/": true}
	for _, f := range files {
		if !path.IsAbs(f.dst) || path.Clean(f.dst) != f.dst || seen[f.dst] {
			return nil, fmt.Errorf("%q is no absolute, clean path of its own in the image", f.dst)
		}
		seen[f.dst] = true
		err := errors.Join(writeParents(w, path.Dir(f.dst), seen), writeFile(w, f))
		if err != nil {
			return nil, fmt.Errorf("pack %s: %w", f.src, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("close layer: %w", err)
	}
	return buf.Bytes(), nil
}

func writeParents(w *tar.Writer, dir string, seen map[string]bool) error {
	if seen[dir] {
		return nil
	}
	if err := writeParents(w, path.Dir(dir), seen); err != nil {
		return err
	}
	seen[dir] = true
	return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir[1:] + "/", Mode: 0o755, ModTime: epoch})
}

func writeFile(w *tar.Writer, f file) error {
	content, err := os.ReadFile(f.src)
	if err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: f.dst[1:], Mode: f.mode, Size: int64(len(content)), ModTime: epoch}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}
