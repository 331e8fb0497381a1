import { fliteVoice, type Speaker } from "../../src/testing/voice.ts";
import { add, silence, type Wave } from "./waves.ts";

/** A voice and what it says. */
export interface Line {
  readonly speaker: Speaker;
  readonly text: string;
}

/** Speech by flite, each text once. */
export interface Clips {
  speech(line: Line): Promise<Wave>;
  /** Sentences one after the other, with gaps too short to be taken for silence. */
  passage(speaker: Speaker, sentences: readonly string[]): Promise<Wave>;
  close(): Promise<void>;
}

const GAP_MS = 120;

export function clips(): Clips {
  const voice = fliteVoice();
  const spoken = new Map<string, Promise<Wave>>();
  const speech = ({ speaker, text }: Line): Promise<Wave> => {
    const key = `${speaker}:${text}`;
    let clip = spoken.get(key);
    if (!clip) {
      clip = voice.speak(text, { speaker }).then((samples) => Float32Array.from(samples, (x) => x / 32_768));
      spoken.set(key, clip);
    }
    return clip;
  };
  return {
    speech,
    async passage(speaker, sentences) {
      const parts = await Promise.all(sentences.map((text) => speech({ speaker, text })));
      const whole = silence(parts.reduce((sum, part) => sum + part.length / 8 + GAP_MS, 0));
      let atMs = 0;
      for (const part of parts) {
        add(whole, part, atMs);
        atMs += part.length / 8 + GAP_MS;
      }
      return whole;
    },
    close: () => voice.close(),
  };
}

export const SPEAKERS: readonly Speaker[] = ["rms", "slt", "awb", "kal"];

export const GREETING = [
  "Hello and thank you for calling the office of doctor Miller.",
  "My name is Nia and I am the assistant who answers when nobody else is free.",
  "Please tell me how I can help you today.",
];

export const ANSWERS: readonly (readonly string[])[] = [
  [
    "I have looked at the calendar for next week and there are three free places.",
    "The first one is on Monday morning at nine with doctor Miller herself.",
    "The second one is on Tuesday afternoon at half past two with her colleague.",
    "The third one is on Friday at noon and that one is short.",
  ],
  [
    "Your parcel left the warehouse on Thursday evening and reached the city last night.",
    "The driver has it on board now and will ring your bell before five.",
    "If nobody opens he leaves it with the neighbour on the second floor.",
    "You can also have it brought to a shop near your home.",
  ],
  [
    "The flat has two rooms and a large kitchen that looks out on the garden.",
    "The rent is nine hundred a month and heating comes on top of that.",
    "Dogs are welcome as long as they are small and do not bark at night.",
    "The keys could be yours from the first day of next month.",
  ],
];

export const AFTERWARDS = ["All right.", "Tell me more about it."];

export const QUESTIONS = [
  "Hello. What can you tell me about it?",
  "Good morning. I would like to know how it stands.",
  "Hi there. Could you look that up for me?",
];

export const INTERRUPTIONS = [
  "No wait, that is not what I asked for.",
  "Stop. I need something else.",
  "Excuse me, can I ask you a question?",
  "Hold on a second please.",
  "Actually I would rather come on Wednesday.",
  "Sorry, I did not understand that.",
  "But how much does it cost?",
  "I already know all of that.",
  "Can you say that again more slowly?",
  "Hang on, somebody is at the door.",
  "She told me something different yesterday.",
  "Please just connect me to a person.",
  "What about the weekend?",
  "That does not work for me at all.",
  "First tell me the address.",
  "Thank you, that is enough.",
];

/** Short ones: hardly longer than a cough. */
export const COMMANDS = ["Stop.", "No.", "Wait.", "Hold on.", "Hang on.", "Stop it.", "No no no."];

export const BACK_CHANNELS = [
  "Mhm.",
  "Uh huh.",
  "Yeah.",
  "Okay.",
  "Right.",
  "Yes.",
  "I see.",
  "Sure.",
  "Oh.",
  "Got it.",
];

export const ASIDES = [
  "Did you put the milk into the fridge already?",
  "Come over here and look at this for a moment.",
  "The bus was late again so I walked all the way home.",
  "Mother said that dinner is at seven tonight.",
];

export const MACHINES = [
  ["For opening hours press one.", "For the billing department press two.", "To hear this again press star."],
  ["Thank you for holding.", "Your call is important to us.", "Please stay on the line."],
];
