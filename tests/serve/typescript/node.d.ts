// The little of Node.js that the client needs, so that its types need not be installed.
declare const process: { argv: string[] };
