import type { Store } from "../stores/store.ts";

/** Removes a document, however many change it meanwhile; one that is not there is fine. @throws StoreError */
export async function removeDocument(
  store: Pick<Store, "document" | "keep">,
  kind: string,
  key: string,
): Promise<void> {
  for (;;) {
    const held = await store.document(kind, key);
    if (!held || (await store.keep(kind, key, undefined, held.version))) return;
  }
}
