/** Words by which a listener says no more than that they listen, in the languages that our voices speak most. */
const WORDS = new Set(
  [
    "ah aha ahem eh ehm em er erm ha haha hahaha he hehe heh hm hmm hmmm huh mm mmm mhm mhmm mm-hmm oh ooh uh uhh uhm um umm",
    "uh-huh mm-hm yeah yep yup yes ok okay okey right sure wow alright gotcha indeed really",
    "ja jaja jo genau klar gut sí si claro vale bueno oui ouais bien voilà exact va certo esatto sim tá pois tak da hai sou un",
  ].flatMap((line) => line.split(" ")),
);
/** Signs of more than one word, each of which says something alone. */
const PHRASES = new Set([
  "i see",
  "i know",
  "got it",
  "of course",
  "all right",
  "makes sense",
  "that makes sense",
  "very good",
  "go on",
  "d'accord",
  "ah so",
  "alles klar",
  "ya veo",
  "de acuerdo",
  "va bene",
  "ho capito",
]);
/** More words than that are an utterance, whatever they are. */
const MOST_WORDS = 3;

/**
 * What a transcript of the caller means for whoever speaks: nothing was said, it was a mere sign of listening
 * ("mhm", "yeah, okay"), or words that want the floor.
 */
export function weigh(text: string): "nothing" | "back-channel" | "words" {
  // What transcribers write for sounds: [laughter], (coughs), *music*, ♪.
  const spoken = text.toLowerCase().replaceAll(/\[[^\]]*\]|\([^)]*\)|\*[^*]*\*|♪[^♪]*♪?/g, " ");
  const words = spoken.match(/[\p{L}\p{N}][\p{L}\p{M}\p{N}'’-]*/gu) ?? [];
  if (words.length === 0) return "nothing";
  if (PHRASES.has(words.join(" "))) return "back-channel";
  return words.length <= MOST_WORDS && words.every(isSign) ? "back-channel" : "words";
}

// --- Internal helpers ---

/** Hums have as many letters as the transcriber hears in them: mhmmm, hahahaha. */
const isSign = (word: string): boolean => WORDS.has(word) || /^(m+[hm-]*|h+m+|(?:ha)+h?|(?:he)+h?|u+h+)$/u.test(word);
