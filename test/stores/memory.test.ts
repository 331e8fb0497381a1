import { describe } from "vitest";
import { memoryStore } from "../../src/stores/index.ts";
import { storeConformance } from "../../src/testing/store-conformance.ts";

describe("memory store", () => storeConformance(() => memoryStore()));
