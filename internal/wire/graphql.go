package wire

// NoGraphQL is the body of a 404 for clients of GraphQL: Error, and the errors of GraphQL.
type NoGraphQL struct {
	Error  string         `json:"error"`
	Errors []GraphQLError `json:"errors"`
}

// GraphQLError is one of the errors that an answer of GraphQL lists.
type GraphQLError struct {
	Message string `json:"message"`
}
