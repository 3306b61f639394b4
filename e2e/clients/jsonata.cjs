// Prints, as one line of JSON, what a template of Renovate makes of the JSON on stdin.
// usage: node jsonata.cjs TEMPLATE
const jsonata = require('jsonata')
const fs = require('fs')

jsonata(process.argv[2]).evaluate(JSON.parse(fs.readFileSync(0, 'utf8'))).then((made) => console.log(JSON.stringify(made)))
