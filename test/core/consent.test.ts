import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type RecordingMode, readConsent, recordingMode } from "../../src/core/consent.ts";

describe("an answer to whether a call may be recorded", () => {
  test.each([
    [
      "Yes.",
      "Yes, please.",
      "yeah sure",
      "Okay!",
      "Of course.",
      "No problem.",
      "I don't mind.",
      "Sure, why not?",
      "Go ahead",
    ],
    ["Ja.", "Ja, bitte.", "Ja gerne", "In Ordnung", "Kein Problem.", "Von mir aus.", "Na klar, warum nicht?"],
    ["Oui.", "Oui, bien sûr.", "D’accord", "Pas de problème.", "Pourquoi pas ?"],
    ["Sí.", "Sí, claro.", "Si.", "De acuerdo", "No hay problema.", "Por supuesto."],
    ["1", "One.", "Eins!"],
  ])("is yes: %s, %s …", (...answers) => {
    for (const answer of answers) expect([answer, readConsent(answer)]).toEqual([answer, "yes"]);
  });

  test.each([
    [
      "No.",
      "No, thank you.",
      "Nope",
      "I'd rather not.",
      "Please don't.",
      "I don't agree",
      "That's not okay.",
      "Of course not!",
    ],
    [
      "Nein.",
      "Nein, danke.",
      "Lieber nicht.",
      "Auf keinen Fall!",
      "Ich bin nicht einverstanden.",
      "Das ist nicht in Ordnung",
    ],
    ["Non.", "Non merci.", "Pas du tout.", "Je ne suis pas d'accord.", "Bien sûr que non"],
    ["No, gracias.", "Claro que no.", "No estoy de acuerdo.", "De ninguna manera"],
    ["2", "Two.", "Zwei."],
  ])("is no: %s, %s …", (...answers) => {
    for (const answer of answers) expect([answer, readConsent(answer)]).toEqual([answer, "no"]);
  });

  test.each([
    "",
    "What?",
    "Hello?",
    "Yes, no, wait.",
    "Maybe yes.",
    "I'm not sure.",
    "I don't know.",
    "Wie bitte?",
    "Ja, vielleicht.",
    "Weiß nicht.",
    "Je ne sais pas.",
    "No sé.",
    "Mhm.",
    "Yes and no",
    "12",
  ])("is not clear: %s", (answer) => expect(readConsent(answer)).toBe("unsure"));

  test("does not depend on case, spaces or marks", () => {
    const answer = fc.constantFrom(
      "yes please",
      "no thank you",
      "kein problem",
      "lieber nicht",
      "bien sûr",
      "claro que no",
      "well",
    );
    const marks = fc.array(fc.constantFrom(" ", ".", ",", "!", "…", "\n", "¡", "—"), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(answer, fc.array(marks, { minLength: 6, maxLength: 6 }), fc.boolean(), (words, gaps, loud) => {
        const said = words.split(" ").reduce((text, word, i) => text + (gaps[i] ?? []).join("") + word, "");
        expect(readConsent(loud ? said.toUpperCase() : said)).toBe(readConsent(words));
      }),
    );
  });

  test("that says both is never taken for either", () => {
    const yes = fc.constantFrom("yes", "ja", "oui", "sí", "okay");
    const no = fc.constantFrom("no", "nein", "non", "not", "nicht");
    const other = fc.array(fc.constantFrom("well", "i", "think", "also", "bueno"), { maxLength: 4 });
    fc.assert(
      fc.property(yes, no, other, fc.boolean(), (a, b, rest, turned) => {
        const said = [turned ? b : a, ...rest, turned ? a : b].join(" ");
        fc.pre(!/not okay|nicht okay/.test(said));
        expect(readConsent(said)).toBe("unsure");
      }),
    );
  });
});

describe("the mode of a number", () => {
  const modes = fc.constantFrom<RecordingMode>("off", "announce", "ask");
  const number = fc.stringMatching(/^\+[12]{1,6}$/);

  test("is that of the longest prefix that it begins with, else the account's", () => {
    fc.assert(
      fc.property(number, modes, fc.dictionary(number, modes), (dialled, mode, byPrefix) => {
        let expected = mode;
        for (let length = 1; length <= dialled.length; length++)
          expected = byPrefix[dialled.slice(0, length)] ?? expected;
        expect(recordingMode(dialled, { mode, byPrefix })).toBe(expected);
      }),
    );
  });

  test("Germany is asked, one of its cities is not recorded", () => {
    const settings = { mode: "announce", byPrefix: { "+49": "ask", "+4930": "off" } } as const;
    expect(["+15550001234", "+4989123", "+4930123"].map((to) => recordingMode(to, settings))).toEqual([
      "announce",
      "ask",
      "off",
    ]);
  });
});
