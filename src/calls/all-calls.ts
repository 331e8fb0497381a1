import type { Call } from "../core/call.ts";
import type { CallQuery, Store } from "../stores/store.ts";

/** Every call that a query finds, newest first; `limit` is how many are read at once. @throws StoreError */
export async function* allCalls(
  store: Pick<Store, "calls">,
  query: Omit<CallQuery, "after"> & { readonly limit: number },
): AsyncGenerator<Call> {
  for (let after: string | undefined, more = true; more; more = after !== undefined) {
    const page = await store.calls({ ...query, ...(after !== undefined && { after }) });
    yield* page.calls;
    after = page.next;
  }
}
