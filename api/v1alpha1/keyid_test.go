// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import "testing"

func TestKeyID(t *testing.T) {
	// printf 'feedbackbridge hmac key id\0secret' | sha256sum | cut -c1-16
	if got, want := KeyID([]byte("secret")), "116238ba2a739567"; got != want {
		t.Errorf("KeyID is %s, want %s", got, want)
	}
	if string(CredentialValue([]byte("a\n\n"))) != "a\n" {
		t.Error("CredentialValue should take exactly one newline")
	}
}
