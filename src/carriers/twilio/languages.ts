import type VoiceResponse from "twilio/lib/twiml/VoiceResponse.js";

type SayLanguage = NonNullable<VoiceResponse.SayAttributes["language"]>;

/** Languages that `<Say>` speaks, the usual region of each first. */
const SPOKEN: readonly SayLanguage[] = [
  ...(["en-US", "en-GB", "en-AU", "en-CA", "en-GB-WLS", "en-IE", "en-IN", "en-NZ", "en-ZA"] as const),
  ...(["es-ES", "es-MX", "es-US", "fr-FR", "fr-BE", "fr-CA", "de-DE", "de-AT", "pt-BR", "pt-PT"] as const),
  ...(["it-IT", "nl-NL", "nl-BE", "zh-CN", "zh-HK", "zh-TW", "cmn-CN", "cmn-TW", "yue-HK", "ja-JP"] as const),
  ...(["af-ZA", "am-ET", "ar-XA", "ar-AE", "bg-BG", "bn-IN", "ca-ES", "cs-CZ", "cy-GB", "da-DK"] as const),
  ...(["el-GR", "fi-FI", "fil-PH", "gu-IN", "he-IL", "hi-IN", "hu-HU", "id-ID", "is-IS", "kn-IN"] as const),
  ...(["ko-KR", "lv-LV", "ml-IN", "mr-IN", "ms-MY", "nb-NO", "pa-IN", "pl-PL", "ro-RO", "ru-RU"] as const),
  ...(["sk-SK", "sr-RS", "sv-SE", "ta-IN", "te-IN", "th-TH", "tr-TR", "uk-UA", "vi-VN"] as const),
];

/**
 * The language of `<Say>` nearest to a BCP 47 tag: the same, else the same language elsewhere, else US English.
 * Twilio says nothing at all in a language that it does not know.
 */
export function sayLanguage(tag: string): SayLanguage {
  const wanted = tag.trim().toLowerCase();
  const language = wanted === "no" ? "nb" : (wanted.split("-")[0] ?? "");
  return (
    SPOKEN.find((spoken) => spoken.toLowerCase() === wanted) ??
    SPOKEN.find((spoken) => spoken.toLowerCase().split("-")[0] === language) ??
    "en-US"
  );
}
