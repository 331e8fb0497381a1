/**
 * `target` with some of its methods replaced. Whatever else it has, now or later, is its own: also what a class keeps in
 * private fields.
 */
export function override<Target extends object>(target: Target, changes: Partial<Target>): Target {
  return new Proxy({} as Target, {
    has: (_, key) => key in target,
    get(_, key) {
      if (Object.hasOwn(changes, key)) return Reflect.get(changes, key);
      const value: unknown = Reflect.get(target, key);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
