// The guard: which URLs and addresses a webhook may reach. Pure judgement, asked when a webhook is created and
// again for every connection, after the name was resolved: a name may change its address at any time, and a
// literal is never resolved at all. The ranges are in address-ranges.ts; http-sender.ts and connection.ts obey the verdicts.
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import {
  type AddressRange,
  mappedIPv4,
  publicIPv6,
  refusedIPv4,
  refusedIPv6,
  wellKnownNat64,
} from './address-ranges.ts';

type Cidr = [ipaddr.IPv4 | ipaddr.IPv6, number];

/** The networks that the operator opened. Made by `parseNetworks`. */
export interface Networks {
  readonly cidrs: readonly Cidr[];
}

/** `opens` is the CIDR that would have to be allowed; `range` names what the address is. */
export type Verdict = { ok: true } | { ok: false; range: string; opens: string; sentence: string };

/** Where this node listens; `addresses` are the machine's own, for a `host` that is a wildcard. */
export interface OwnAddress {
  host: string;
  port: number;
  addresses?: readonly string[];
}

export interface GuardOptions {
  allowed: Networks;
  own: OwnAddress | null;
}

export type UrlVerdict =
  | { ok: true; url: URL; literal: string | null }
  | { ok: false; code: 'invalid_url' | 'blocked_address'; sentence: string };

const MAX_URL_LENGTH = 2_048;
const SETTING = 'POSTHORN_ALLOWED_NETWORKS';
const LOOPBACK = '127.0.0.0/8,::1/128';

type Judged = readonly (AddressRange & { parsed: Cidr })[];
const judged = (ranges: readonly AddressRange[]): Judged =>
  ranges.map((one) => ({ ...one, parsed: ipaddr.parseCIDR(one.cidr) }));
const judgedIPv4 = judged(refusedIPv4);
const judgedIPv6 = judged(refusedIPv6);
const globalUnicast = ipaddr.parseCIDR(publicIPv6);
const mapped = ipaddr.parseCIDR(mappedIPv4);
const nat64 = ipaddr.parseCIDR(wellKnownNat64);

/** Names that only an inside network can resolve (RFC 6761, RFC 6762, RFC 8375, ICANN's .internal). */
const insideSuffixes =
  /(?:^|\.)(?:localdomain|local|internal|intranet|private|corp|home|lan|home\.arpa)$|^[^.]+$/;
const localhost = /(?:^|\.)localhost$/;
const label = /^[a-z0-9_-]{1,63}$/;

const hexPair = (high?: string, low?: string): string => (Number(high) * 256 + Number(low)).toString(16);

/**
 * Reads an address that `isIP` accepts. A dotted tail is turned to hex first, because ipaddr.js takes
 * `::8.8.8.8` (IPv4-compatible, refused) for `::ffff:8.8.8.8` (IPv4 by another name).
 */
function parseAddress(address: string): ipaddr.IPv4 | ipaddr.IPv6 {
  const tail = address.includes(':') ? /(\d+)\.(\d+)\.(\d+)\.(\d+)/.exec(address) : null;
  if (tail === null) return ipaddr.parse(address);
  const [dotted, a, b, c, d] = tail;
  return ipaddr.parse(address.replace(dotted, `${hexPair(a, b)}:${hexPair(c, d)}`));
}

function contains([network, bits]: Cidr, address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return network.kind() === address.kind() && address.match(network, bits);
}

/** The IPv4 address in the last four bytes of an IPv6 one. */
function embeddedIPv4(address: ipaddr.IPv6): ipaddr.IPv4 {
  return new ipaddr.IPv4(address.toByteArray().slice(12));
}

/**
 * Reads a comma list of CIDRs or single addresses, strictly written; empty items are skipped.
 * Throws a RangeError that names the first bad item.
 */
export function parseNetworks(list: string): Networks {
  const cidrs: Cidr[] = [];
  for (const item of list.split(',').map((one) => one.trim())) {
    if (item === '') continue;
    const [address = '', bits, ...rest] = item.split('/');
    const width = isIP(address) === 4 ? 32 : 128;
    const prefix = bits === undefined ? width : Number(bits);
    const wellFormed = isIP(address) !== 0 && !address.includes('%') && rest.length === 0;
    if (!wellFormed || (bits !== undefined && !/^\d{1,3}$/.test(bits)) || prefix > width) {
      throw new RangeError(`"${item}" is not a network: write a CIDR such as 10.0.0.0/8, or an address.`);
    }
    const parsed = parseAddress(address);
    // A mapped network is the IPv4 network that it maps, so that either spelling opens both.
    if (parsed instanceof ipaddr.IPv6 && contains(mapped, parsed) && prefix >= 96) {
      cidrs.push([embeddedIPv4(parsed), prefix - 96]);
    } else cidrs.push([parsed, prefix]);
  }
  return { cidrs };
}

function isAllowed(address: ipaddr.IPv4 | ipaddr.IPv6, allowed: Networks): boolean {
  return allowed.cidrs.some((cidr) => contains(cidr, address));
}

/** The sentence of every refusal: who is what, and the exact setting that opens it. */
function refusal(subject: string, phrase: string, opens: string): string {
  return `${subject} ${phrase}, which webhooks may not reach. For local testing start Posthorn with ${SETTING}=${opens}.`;
}

function judgeParsed(address: ipaddr.IPv4 | ipaddr.IPv6, allowed: Networks): AddressRange | null {
  if (isAllowed(address, allowed)) return null;
  if (address instanceof ipaddr.IPv4) return judgedIPv4.find((one) => contains(one.parsed, address)) ?? null;
  if (contains(mapped, address)) return judgeParsed(embeddedIPv4(address), allowed);
  if (contains(nat64, address)) {
    // The gateway's own IPv4 network is not the one that the operator allowed: nothing opens these but themselves.
    const inner = judgeParsed(embeddedIPv4(address), { cidrs: [] });
    return inner && { ...inner, cidr: wellKnownNat64, phrase: `a NAT64 form of ${inner.phrase}` };
  }
  const found = judgedIPv6.find((one) => contains(one.parsed, address));
  if (found) return found;
  if (contains(globalUnicast, address)) return null;
  return { cidr: `${address.toString()}/128`, range: 'reserved', phrase: 'a reserved address' };
}

/** Judges one address as resolvers and URLs write it, IPv6 without brackets. What can't be read is refused. */
export function judgeAddress(address: string, allowed: Networks): Verdict {
  return judgeHost(address, allowed, `The address ${address} is`);
}

function judgeHost(address: string, allowed: Networks, subject: string): Verdict {
  if (isIP(address) === 0) {
    return { ok: false, range: 'unreadable', opens: '', sentence: `${address} is not an IP address.` };
  }
  const found = judgeParsed(parseAddress(address), allowed);
  if (found === null) return { ok: true };
  const sentence = refusal(subject, found.phrase, found.cidr);
  return { ok: false, range: found.range, opens: found.cidr, sentence };
}

/** The same address in one spelling, IPv4 unmapped, so that two can be compared. */
function canonical(address: string): string {
  if (isIP(address) === 0) return address;
  const parsed = parseAddress(address);
  return (
    parsed instanceof ipaddr.IPv6 && contains(mapped, parsed) ? embeddedIPv4(parsed) : parsed
  ).toString();
}

/**
 * Whether a connection would call Posthorn itself. Its port is refused on every address, since a load balancer
 * or a NAT may stand before it, except that 80 and 443 are refused on this machine's addresses only: elsewhere
 * they are the web's.
 */
function isOwn(address: string, port: number, own: OwnAddress | null): boolean {
  if (own === null || port !== own.port) return false;
  if (port !== 80 && port !== 443) return true;
  return [own.host, ...(own.addresses ?? [])].some((one) => canonical(one) === canonical(address));
}

function ownPortRefusal(port: number): string {
  return `Port ${port} is Posthorn's own, which webhooks may not call. Use another port, or name the receiver's address in ${SETTING}.`;
}

/**
 * Judges what a connection for `host` would really reach: an address after resolution (or the literal itself)
 * and a port. The sentence names the host and what it is, never the address that a name resolved to, so that
 * a tenant can't read an inside network from it.
 */
export function judgeConnection(host: string, address: string, port: number, options: GuardOptions): Verdict {
  const verb = host === address ? 'is' : 'resolves to';
  const verdict = judgeHost(address, options.allowed, `The host ${host} ${verb}`);
  if (!verdict.ok || !isOwn(address, port, options.own)) return verdict;
  if (isAllowed(parseAddress(address), options.allowed)) return verdict;
  const opens = `${address}/${isIP(address) === 4 ? 32 : 128}`;
  return { ok: false, range: 'own port', opens, sentence: ownPortRefusal(port) };
}

const invalid = (sentence: string): UrlVerdict => ({ ok: false, code: 'invalid_url', sentence });
const blocked = (sentence: string): UrlVerdict => ({ ok: false, code: 'blocked_address', sentence });

/**
 * Judges a webhook's URL as far as it can be seen without resolving its name: when it is created and before
 * every attempt. `literal` is the host's address (IPv6 without brackets) where the host is one.
 */
export function judgeUrl(text: string, options: GuardOptions): UrlVerdict {
  if (text.length > MAX_URL_LENGTH) {
    return invalid(`The URL has ${text.length} characters; shorten it to ${MAX_URL_LENGTH} or fewer.`);
  }
  // The URL parser drops tabs, newlines and outer spaces in silence; what is stored must be what is called.
  if (/[^!-~\u0080-\uffff]/.test(text)) {
    return invalid('The URL has a space or a control character in it; remove it, or write it as %20.');
  }
  const url = URL.parse(text);
  if (url === null) {
    return invalid('The URL could not be read; write it like https://example.com/webhooks.');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    return invalid('The URL must begin with https:// or http://.');
  }
  if (url.username !== '' || url.password !== '') {
    return invalid(
      'The URL has a user name or a password in it; remove it, and verify the signature instead.',
    );
  }
  if (url.port === '0') return invalid('The URL has port 0, which nothing can listen on; name another port.');
  const bracketed = url.hostname.startsWith('[');
  const host = bracketed ? url.hostname.slice(1, -1) : url.hostname.replace(/\.$/, '');
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  if (isIP(host) !== 0) {
    const verdict = judgeConnection(host, host, port, options);
    return verdict.ok ? { ok: true, url, literal: host } : blocked(verdict.sentence);
  }
  return judgeName(url, host, port, options);
}

/** Judges a name: its addresses are judged at every connection, so here only what no address could make good. */
function judgeName(url: URL, host: string, port: number, { allowed, own }: GuardOptions): UrlVerdict {
  if (host.length > 253 || !host.split('.').every((one) => label.test(one))) {
    return invalid(`The host ${host} is not a valid name; write it like https://example.com/webhooks.`);
  }
  if (localhost.test(host)) {
    const reachable = ['127.0.0.1', '::1'].some((one) => judgeAddress(one, allowed).ok);
    if (!reachable)
      return blocked(refusal(`The host ${host} is`, 'this machine itself (loopback)', LOOPBACK));
  } else if (allowed.cidrs.length === 0 && insideSuffixes.test(host)) {
    const sentence = `The host ${host} is a name of an inside network, which webhooks may not reach.`;
    return blocked(`${sentence} Use a public name, or start Posthorn with ${SETTING} set to its network.`);
  }
  if (own !== null && port === own.port && port !== 80 && port !== 443 && allowed.cidrs.length === 0) {
    return blocked(ownPortRefusal(port));
  }
  return { ok: true, url, literal: null };
}
