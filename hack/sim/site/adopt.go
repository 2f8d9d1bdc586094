// SPDX-License-Identifier: Apache-2.0

package site

import (
	"errors"
	"fmt"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
)

// Adopt takes over what the Secret that the operator writes for the site holds, as a site does that reads it anew whenever it
// changes: it signs with hmac-key, takes results by every key that is there, and judges tokens by jwks.json, where these are
// there. An error leaves everything as it was.
func (s *Server) Adopt(secret map[string][]byte) error {
	var keys []wire.Key
	for _, name := range []string{v1alpha1.SiteHMACKey, v1alpha1.SiteHMACCurrent, v1alpha1.SiteHMACNext, v1alpha1.SiteHMACPrevious} {
		value := v1alpha1.CredentialValue(secret[name])
		if len(value) == 0 {
			continue
		}
		key, err := wire.NewKey(value)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		keys = append(keys, key)
	}
	var accept Accept
	if set := secret[v1alpha1.SiteJWKS]; len(set) > 0 {
		var err error
		if accept, err = AcceptJWKS(set); err != nil {
			return fmt.Errorf("%s: %w", v1alpha1.SiteJWKS, err)
		}
	}
	if len(keys) == 0 && accept == nil {
		return errors.New("the site's Secret has neither keys nor a key set")
	}
	if len(keys) > 0 {
		s.HoldKeys(keys...)
	}
	if accept != nil {
		s.SetAccept(accept)
	}
	return nil
}
