// SPDX-License-Identifier: Apache-2.0

package v1alpha1

// IntakeSpec is how the bot takes feedback in direct messages.
//
// +kubebuilder:validation:XValidation:rule="(has(self.minLength) ? self.minLength : 10) <= (has(self.maxLength) ? self.maxLength : 2000)",message="intake.minLength (10 unless given) must not be more than intake.maxLength (2000 unless given)"
type IntakeSpec struct {
	// directMessages is whether people can write feedback to the bot in Telegram; true unless given. Answers of the staff
	// reach those who did in either case.
	// +optional
	DirectMessages *bool `json:"directMessages,omitempty"`

	// rateLimit is how much one person may write; 5 in 10m unless given.
	// +optional
	RateLimit *IntakeLimit `json:"rateLimit,omitempty"`

	// minLength is the least length of a text, in characters; 10 unless given.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4000
	MinLength int32 `json:"minLength,omitempty"`

	// maxLength is the greatest length of a text, in characters; 2000 unless given.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4000
	MaxLength int32 `json:"maxLength,omitempty"`

	// categories are what a person chooses from, in this order; bug, wish, question and other unless given.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=20
	Categories []IntakeCategory `json:"categories,omitempty"`
}

// IntakeLimit is how much feedback one person may write in a window of time.
type IntakeLimit struct {
	// requests is how many feedbacks are taken from one person within the window.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Requests int32 `json:"requests,omitempty"`

	// window is the length of the window, which slides.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1s') && duration(self) <= duration('720h')",message="intake.rateLimit.window must be between 1s and 720h"
	Window Duration `json:"window,omitempty"`
}

// IntakeCategory is one thing that feedback can be about.
type IntakeCategory struct {
	// name is the category's name, as it stands in tickets, hashtags and routes.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=20
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9_]{1,20}$')",message="a category's name must be at most 20 of a-z, 0-9 and '_': what people read goes into titles"
	Name string `json:"name,omitempty"`

	// icon stands before the title, such as an emoji.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	Icon string `json:"icon,omitempty"`

	// titles are what people read, by language; a known category's own, or the name, unless given.
	// +optional
	// +kubebuilder:validation:MaxProperties=2
	// +kubebuilder:validation:XValidation:rule="self.all(language, language in ['ru', 'en'])",message="titles are by language: ru, en"
	Titles map[string]CategoryTitle `json:"titles,omitempty"`
}

// CategoryTitle is what people read on a category's button.
//
// +kubebuilder:validation:MinLength=1
// +kubebuilder:validation:MaxLength=40
type CategoryTitle string
