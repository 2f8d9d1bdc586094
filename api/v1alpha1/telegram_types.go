// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// TopicMode is how a group with topics is used.
//
// +kubebuilder:validation:Enum=None;PerCategory;PerTicket
type TopicMode string

// The ways to use topics.
const (
	TopicsNone        TopicMode = "None"
	TopicsPerCategory TopicMode = "PerCategory"
	TopicsPerTicket   TopicMode = "PerTicket"
)

// TelegramRoute is where the tickets of a category go.
//
// +kubebuilder:validation:XValidation:rule="has(self.chatID) || has(self.threadID)",message="a route needs a chatID, a threadID or both: say where its category goes"
type TelegramRoute struct {
	// category is the category whose tickets go there, as the site or intake.categories names it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Category string `json:"category,omitempty"`

	// chatID is the numeric id of the group or channel; telegram.chatID unless given.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^-?[1-9][0-9]{0,17}$')",message="a route's chatID must be the chat's numeric id in quotes, such as \"-1001234567890\"; those of groups and channels are negative"
	ChatID string `json:"chatID,omitempty"`

	// threadID is the topic there: the number behind the last / of a link to the topic.
	// +optional
	// +kubebuilder:validation:Minimum=1
	ThreadID int64 `json:"threadID,omitempty"`
}
