package access

// ActionCount is how many actions there are, for tests of all of them.
const ActionCount = actionCount
