// SPDX-License-Identifier: Apache-2.0

package site

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/feedbackbridge/feedbackbridge/botruntime/wire"
	"github.com/feedbackbridge/feedbackbridge/hack/sim/control"
)

func (s *Server) controlKey(r *http.Request) (any, error) {
	body, err := control.ReadBody[struct {
		Secret  string   `json:"secret"`
		Secrets []string `json:"secrets"`
		Form    string   `json:"form"`
	}](r, maxBody)
	if err != nil {
		return nil, err
	}
	if body.Secret != "" && len(body.Secrets) > 0 {
		return nil, errors.New("give either secret or secrets")
	}
	s.mu.Lock()
	key, form := s.key, s.form
	s.mu.Unlock()
	if body.Form != "" {
		if form, err = wire.ParseForm(body.Form); err != nil {
			return nil, err
		}
	}
	if len(body.Secrets) > 0 {
		keys, err := newKeys(body.Secrets)
		if err != nil {
			return nil, err
		}
		s.SetKey(keys[0], form)
		s.HoldKeys(keys...)
		return map[string]string{"key_id": keys[0].ID(), "form": form.String()}, nil
	}
	if body.Secret != "" {
		if key, err = wire.NewKey([]byte(body.Secret)); err != nil {
			return nil, err
		}
	}
	s.SetKey(key, form)
	return map[string]string{"key_id": key.ID(), "form": form.String()}, nil
}

func newKeys(secrets []string) ([]wire.Key, error) {
	keys := make([]wire.Key, len(secrets))
	for i, secret := range secrets {
		var err error
		if keys[i], err = wire.NewKey([]byte(secret)); err != nil {
			return nil, fmt.Errorf("secret %d: %w", i, err)
		}
	}
	return keys, nil
}

func (s *Server) controlToken(r *http.Request) (any, error) {
	body, err := control.ReadBody[struct {
		Token   string          `json:"token"`
		JWTKey  string          `json:"jwt_key"`
		JWTKeys []string        `json:"jwt_keys"`
		JWKS    json.RawMessage `json:"jwks"`
	}](r, maxBody)
	if err != nil {
		return nil, err
	}
	var rules []Accept
	if body.Token != "" {
		rules = append(rules, AcceptToken(body.Token))
	}
	if body.JWTKey != "" {
		body.JWTKeys = append(body.JWTKeys, body.JWTKey)
	}
	for _, key := range body.JWTKeys {
		accept, err := AcceptJWT([]byte(key))
		if err != nil {
			return nil, err
		}
		rules = append(rules, accept)
	}
	if len(body.JWKS) > 0 {
		accept, err := AcceptJWKS(body.JWKS)
		if err != nil {
			return nil, err
		}
		rules = append(rules, accept)
	}
	if len(rules) == 0 {
		return nil, errors.New("give one or more of token, jwt_key, jwt_keys and jwks")
	}
	s.SetAccept(AcceptAny(rules...))
	return struct{}{}, nil
}

func (s *Server) controlClock(r *http.Request) (any, error) {
	body, err := control.ReadBody[struct {
		Ahead Duration `json:"ahead"`
	}](r, maxBody)
	if err != nil {
		return nil, err
	}
	s.SetClock(time.Duration(body.Ahead))
	return body, nil
}
