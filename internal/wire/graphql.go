package wire

// NoGraphQL is the body of a 404 as clients of GraphQL read it, beside Error.
type NoGraphQL struct {
	Error  string         `json:"error"`
	Errors []GraphQLError `json:"errors"`
}

// GraphQLError is one of the errors that an answer of GraphQL lists.
type GraphQLError struct {
	Message string `json:"message"`
}
