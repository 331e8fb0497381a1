import type { VoiceTool } from "openclaw-voice-channel";

const ORDERS = new Map([["1234", "shipped yesterday"]]);

/** A function of yours that the model may call while it talks: hand it to the plugin as `tools: [orderStatus]`. */
export const orderStatus: VoiceTool = {
  name: "order_status",
  description: "Looks up what became of an order. Ask for the order number first.",
  parameters: {
    type: "object",
    properties: { orderNumber: { type: "string", description: "Four digits." } },
    required: ["orderNumber"],
    additionalProperties: false,
  },
  async execute({ orderNumber }, { signal }) {
    signal.throwIfAborted(); // aborted when the call ends: stop what you have begun
    return ORDERS.get(String(orderNumber)) ?? "There is no such order.";
  },
};
