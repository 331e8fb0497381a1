/** The most that an outcome holds: characters of each text, and how many commitments. */
export const BOUNDS = { summary: 600, outcome: 160, what: 200, due: 60, quote: 200, commitments: 8 } as const;
