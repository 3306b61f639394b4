package wire

// Variable is a CI/CD variable of a project, a group or the instance.
type Variable struct {
	VariableType     string  `json:"variable_type"` // "env_var" or "file"
	Key              string  `json:"key"`
	Value            *string `json:"value"` // null if it is hidden
	Hidden           bool    `json:"hidden"`
	Protected        bool    `json:"protected"`
	Masked           bool    `json:"masked"`
	Raw              bool    `json:"raw"`
	EnvironmentScope string  `json:"environment_scope,omitempty"` // not for the instance's
	Description      *string `json:"description"`
}
