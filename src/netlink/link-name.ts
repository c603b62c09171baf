import { Fault } from '../base/fault.js';

const LONGEST = 15;

/** Whether the kernel could have an interface of this name. */
export function isLinkName(name: string): boolean {
  const size = Buffer.byteLength(name);
  return size >= 1 && size <= LONGEST && !/[\s/:\0]/.test(name) && name !== '.' && name !== '..';
}

/**
 * Throws `invalid` for a name the kernel would refuse: IFNAMSIZ counts the closing zero, so 15 bytes
 * are left, and `dev_valid_name` bars `/`, `:`, white space, `.` and `..`. Checked here because the
 * kernel answers ERANGE for length and a bare EINVAL for the rest.
 */
export function checkLinkName(name: string): void {
  if (isLinkName(name)) return;
  throw new Fault(
    'invalid',
    `"${name.slice(0, 40)}" cannot name a network interface: ${Buffer.byteLength(name)} bytes found, 1 to ${LONGEST} without "/", ":" and blanks are allowed`,
    { reason: 'bad-link-name' },
  );
}

const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i;

/** Throws `invalid` unless the text is a unicast Ethernet address; the kernel takes no group address. */
export function checkMac(mac: string): void {
  if (MAC.test(mac) && (Number.parseInt(mac.slice(0, 2), 16) & 1) === 0) return;
  throw new Fault(
    'invalid',
    `"${mac.slice(0, 40)}" is no unicast MAC address; write six hexadecimal bytes with colons`,
    { reason: 'bad-mac' },
  );
}
