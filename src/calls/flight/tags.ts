/** What one byte says of an item: its kind in the lower bits, and what else fits. */
export const FRAME = 1;
export const ODD_FRAME = 2;
export const BEAT = 3;
export const INPUT = 4;
export const COMMAND = 5;
export const SESSION_AUDIO = 6;
export const LEG_AUDIO = 7;
export const PUT_OFF = 8;
export const JUDGED = 9;
export const HEARD = 10;
export const SEEN = 12;
export const ID = 13;
export const CHECK = 14;
export const END = 15;
export const KIND = 0x1f;
export const NESTED = 0x20;
export const AT_ONCE = 0x40;
export const YES = 0x80;

/** What an item's byte says of when it came in. */
export const flagsOf = (nested: boolean, atOnce: boolean): number => (nested ? NESTED : 0) | (atOnce ? AT_ONCE : 0);
