import { open, rename, rm } from "node:fs/promises";

/** Writes a sound to a file and resolves with its length. The file is there whole or not at all. */
export async function saveSound(sound: AsyncIterable<Uint8Array>, file: string): Promise<number> {
  const partial = `${file}.part`;
  let bytes = 0;
  const handle = await open(partial, "w", 0o600);
  try {
    for await (const piece of sound) {
      await handle.writeFile(piece);
      bytes += piece.length;
    }
    await handle.sync();
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  await rename(partial, file);
  return bytes;
}
