// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	networkingac "k8s.io/client-go/applyconfigurations/networking/v1"

	"github.com/feedbackbridge/feedbackbridge/api/v1alpha1"
)

// DefaultAPIServerPorts are where most API servers listen, before and behind the Service's address translation.
var DefaultAPIServerPorts = []int32{443, 6443}

// dnsPorts are where name servers listen: everywhere, and behind OpenShift's address translation.
var dnsPorts = []int32{53, 5353}

// buildNetworkPolicy lets nothing in, and lets out name resolution, the API server, and the ports of the two peers and of the
// database.
// Peers are named by port alone: their addresses change, and policies know no host names.
func buildNetworkPolicy(b *v1alpha1.FeedbackBridge, apiServerPorts []int32) *networkingac.NetworkPolicyApplyConfiguration {
	rule := networkingac.NetworkPolicyEgressRule()
	for _, port := range dnsPorts {
		rule.WithPorts(egressPort(corev1.ProtocolUDP, port), egressPort(corev1.ProtocolTCP, port))
	}
	for _, port := range egressPorts(&b.Spec, apiServerPorts) {
		rule.WithPorts(egressPort(corev1.ProtocolTCP, port))
	}
	return networkingac.NetworkPolicy(v1alpha1.BotName(b.Name), b.Namespace).
		WithLabels(labelsOf(b)).
		WithOwnerReferences(ownerOf(b)).
		WithSpec(networkingac.NetworkPolicySpec().
			WithPodSelector(labelSelector(b)).
			WithPolicyTypes(networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress).
			WithEgress(rule))
}

func egressPort(protocol corev1.Protocol, port int32) *networkingac.NetworkPolicyPortApplyConfiguration {
	return networkingac.NetworkPolicyPort().WithProtocol(protocol).WithPort(intstr.FromInt32(port))
}

// egressPorts are the TCP ports that the bot dials, sorted.
func egressPorts(s *v1alpha1.FeedbackBridgeSpec, apiServerPorts []int32) []int32 {
	ports := slices.Clone(apiServerPorts)
	for _, address := range []string{s.Site.URL, s.Telegram.APIURL} {
		if port, ok := portOf(address); ok {
			ports = append(ports, port)
		}
	}
	if p := s.Storage.Postgres; p != nil {
		ports = append(ports, cmp.Or(p.Port, v1alpha1.DefaultPostgresPort))
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}

// portOf is the port that a client of an address dials.
func portOf(address string) (int32, bool) {
	u, err := url.Parse(address)
	if err != nil {
		return 0, false
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		return int32(n), err == nil && n > 0
	}
	switch u.Scheme {
	case "wss", "https":
		return 443, true
	case "ws", "http":
		return 80, true
	default:
		return 0, false
	}
}
