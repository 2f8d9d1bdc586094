// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// The annotations of the bot's Secret: the times of the HMAC keys' rotation (RFC 3339), written together with the keys.
const (
	annotationStagedAt    = "feedbackbridge.dev/hmac-staged-at"
	annotationPublishedAt = "feedbackbridge.dev/hmac-published-at"
	annotationRotatedAt   = "feedbackbridge.dev/hmac-rotated-at"
	annotationRetireAt    = "feedbackbridge.dev/hmac-retire-at"
)

// hmacKeys are the HMAC keys that the bot's Secret holds, and their rotation.
type hmacKeys struct {
	rotation
	// values are the keys of the rotation's slots by their ids, and maybe others.
	values map[string][]byte
}

// loadHMAC reads the keys from where they are stored. The bot's Secret is the truth. What it lacks because it is gone, or
// because another writer took the key, is in the site's Secret; so a bridge that is made anew goes on with its keys.
func loadHMAC(own, site stored, now time.Time, overlap time.Duration) hmacKeys {
	keys := hmacKeys{values: map[string][]byte{}}
	keys.current = keys.add(own.data[v1alpha1.FileHMACCurrent])
	keys.next = keys.add(own.data[v1alpha1.FileHMACNext])
	keys.previous = keys.add(own.data[v1alpha1.FileHMACPrevious])
	keys.stagedAt, keys.publishedAt = own.time(annotationStagedAt), own.time(annotationPublishedAt)
	keys.rotatedAt, keys.retireAt = own.time(annotationRotatedAt), own.time(annotationRetireAt)
	keys.recover(site)
	if keys.current != "" && keys.stagedAt.IsZero() {
		// Of a key that was found again nobody knows how old it is: it is not due for that.
		keys.stagedAt = now
	}
	if keys.next != "" && keys.publishedAt.IsZero() && bytes.Equal(site.data[v1alpha1.SiteHMACNext], keys.values[keys.next]) {
		keys.publishedAt = now
	}
	switch {
	case keys.previous == "":
		keys.retireAt = time.Time{}
	case keys.retireAt.IsZero() && !keys.rotatedAt.IsZero():
		keys.retireAt = keys.rotatedAt.Add(overlap)
	case keys.retireAt.IsZero():
		keys.retireAt = now.Add(overlap)
	}
	return keys
}

// recover fills slots that are empty, though they should not be, from the site's Secret. A current key is always needed; a
// next key is missed where one was published since the current one came into use, and a previous key where its end is
// known. Whatever else the site's Secret has, it was left behind under a name that the spec had before, and is retired.
func (k *hmacKeys) recover(site stored) {
	lost := k.current == ""
	for _, slot := range []struct {
		id     *string
		file   string
		missed bool
	}{
		{&k.current, v1alpha1.SiteHMACCurrent, lost},
		{&k.next, v1alpha1.SiteHMACNext, lost || k.publishedAt.After(k.rotatedAt)},
		{&k.previous, v1alpha1.SiteHMACPrevious, lost || !k.retireAt.IsZero()},
	} {
		value := site.data[slot.file]
		if slot.missed && *slot.id == "" && len(value) > 0 && !k.has(v1alpha1.KeyID(value)) {
			*slot.id = k.add(value)
		}
	}
}

// add remembers a key, and returns its id; none where there is no key.
func (k *hmacKeys) add(value []byte) string {
	if len(value) == 0 {
		return ""
	}
	id := v1alpha1.KeyID(value)
	k.values[id] = value
	return id
}

// data is the keys as files of the bot's Secret.
func (k hmacKeys) data() map[string][]byte {
	data := map[string][]byte{}
	for file, id := range map[string]string{
		v1alpha1.FileHMACCurrent: k.current, v1alpha1.FileHMACNext: k.next, v1alpha1.FileHMACPrevious: k.previous,
	} {
		if id != "" {
			data[file] = k.values[id]
		}
	}
	return data
}

func (k hmacKeys) annotations() map[string]string {
	return timeAnnotations(map[string]time.Time{
		annotationStagedAt: k.stagedAt, annotationPublishedAt: k.publishedAt,
		annotationRotatedAt: k.rotatedAt, annotationRetireAt: k.retireAt,
	})
}

// siteData is the keys as the site may know them: the next one only once it is published.
func (k hmacKeys) siteData() map[string][]byte {
	data := map[string][]byte{}
	put := func(file, id string) {
		if id != "" {
			data[file], data[file+v1alpha1.SiteKeyIDSuffix] = k.values[id], []byte(id)
		}
	}
	put(v1alpha1.SiteHMACKey, k.current)
	put(v1alpha1.SiteHMACCurrent, k.current)
	put(v1alpha1.SiteHMACPrevious, k.previous)
	if k.phase() == v1alpha1.RotationPublished {
		put(v1alpha1.SiteHMACKey, k.next)
		put(v1alpha1.SiteHMACNext, k.next)
	}
	return data
}

// computeHMAC takes the rotation of the HMAC keys one step on. While the user's Secret is out of order the bot keeps what
// it has, and what the rotation needs of the bot and of time goes on.
func (c *credentials) computeHMAC(in credentialsInput) {
	keys := in.have.hmac
	keys.values = maps.Clone(keys.values)
	s := in.sighting(in.hmacOverlap())
	if ref := in.spec.Credentials.HMAC.SecretRef; ref != nil {
		key, missing := in.secrets.value(*ref, "the HMAC key that the site signs with")
		switch err := checkHMACKey(key); {
		case missing != nil:
			c.fail(missing)
		case err != nil:
			c.fail(malformed(*ref, err))
		default:
			s.wanted = keys.add(key)
		}
	}
	generate := in.spec.Credentials.HMAC.Generate
	every := in.rotateEvery(generate)
	s.generates, s.asked = generate != nil, in.asked(in.have.stored)
	s.due = every > 0 && !s.now.Before(keys.nextRotation(every))
	s.seeHMAC(keys.rotation, in.bot)
	before := keys.rotation
	after, did := before.advance(s)
	if after.newest() == newKey {
		key, err := in.make.hmacKey()
		if err != nil {
			c.fail(problemf(v1alpha1.ReasonSecretMalformed, "No HMAC key could be made: %v", err))
			after, did = before, stepNone
		}
		after = after.named(keys.add(key))
	}
	keys.rotation = after
	c.hold.hmac = keys
	c.hmacWatch = newWatch(after, s)
	c.changesAt(after.nextChange(s))
	c.changesAt(after.nextRotation(every))
	c.tellHMAC(in, did, before, after)
}

// maxKeyBytes bounds a key of the user's: the operator's Secrets hold it up to four times.
const maxKeyBytes = 16 << 10

// checkHMACKey finds what keeps a key, less one line break, from being handed on.
func checkHMACKey(key []byte) error {
	switch {
	case len(key) == 0:
		return errors.New("is empty: it should hold the HMAC key that the site signs with")
	case len(key) > maxKeyBytes:
		return errors.New("is longer than 16 KiB: store a key of 32 random bytes, as text")
	case bytes.HasSuffix(key, []byte("\n")):
		// Whoever reads it from a Secret of the operator's would leave out another one.
		return errors.New("ends with more than one line break: store the key without any")
	}
	return nil
}

// seeHMAC notes what the bot says of the keys.
func (s *sighting) seeHMAC(r rotation, bot keyReport) {
	s.used, s.last, s.ready = bot.hmacUsed, bot.hmacLast, slices.Contains(bot.accepts, r.next)
}

// hmacOverlap is how long a key before stays accepted.
func (in credentialsInput) hmacOverlap() time.Duration {
	overlap, err := in.spec.Credentials.HMAC.Overlap.Or(v1alpha1.DefaultHMACOverlap).Value()
	if err != nil {
		// The CRD's rules keep it from being otherwise.
		overlap, _ = v1alpha1.DefaultHMACOverlap.Value()
	}
	return overlap
}

// rotateEvery is how long a generated key is used, in whole seconds; zero for ever. It is up to a tenth less than what the
// spec says, by the bridge: those that are made together do not rotate together.
func (in credentialsInput) rotateEvery(g *v1alpha1.GenerateSpec) time.Duration {
	if g == nil || g.RotateEvery == "" {
		return 0
	}
	every, err := g.RotateEvery.Value()
	if err != nil {
		return 0
	}
	return (every - spread(in.have.uid, every/10)).Truncate(time.Second)
}

// hmacStatus is the keys by their ids.
func (k hmacKeys) status(every time.Duration) *v1alpha1.HMACStatus {
	if k.current == "" {
		return nil
	}
	return &v1alpha1.HMACStatus{RotationStatus: k.rotation.status(k.nextRotation(every))}
}
