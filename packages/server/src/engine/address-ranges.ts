// The address ranges that are not the public internet, as data: IANA's special-purpose registries (IPv4 and IPv6,
// RFC 6890 and after) and the metadata services of clouds that answer on other addresses. guard.ts judges by it.

/** One range: its CIDR, the short name that logs and tests use, and the words of a sentence about it. */
export interface AddressRange {
  cidr: string;
  range: string;
  phrase: string;
}

function list(range: string, phrase: string, ...cidrs: string[]): AddressRange[] {
  return cidrs.map((cidr) => ({ cidr, range, phrase }));
}

const METADATA = 'a cloud metadata address';

/** Looked through in order: the first that holds an address names it. Anything else in IPv4 is public. */
export const refusedIPv4: readonly AddressRange[] = [
  // 192.0.0.192 is Oracle's, 168.63.129.16 Azure's wire server, 100.100.100.200 Alibaba's.
  ...list('cloud metadata', METADATA, '169.254.169.254/32', '169.254.170.2/32', '100.100.100.200/32'),
  ...list('cloud metadata', METADATA, '168.63.129.16/32', '192.0.0.192/32'),
  ...list('loopback', 'a loopback address', '127.0.0.0/8'),
  ...list('private', 'a private address', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'),
  ...list('link-local', 'a link-local address', '169.254.0.0/16'),
  ...list('carrier-grade NAT', 'a carrier-grade NAT address', '100.64.0.0/10'),
  ...list('unspecified', 'an unspecified address', '0.0.0.0/8'),
  ...list('broadcast', 'the broadcast address', '255.255.255.255/32'),
  ...list('multicast', 'a multicast address', '224.0.0.0/4'),
  ...list('reserved', 'a reserved address', '240.0.0.0/4'),
  ...list('IETF protocol', 'an IETF protocol address', '192.0.0.0/24'),
  ...list('documentation', 'a documentation address', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'),
  ...list('benchmarking', 'a benchmarking address', '198.18.0.0/15'),
  ...list('6to4 relay', 'a 6to4 relay address', '192.88.99.0/24'),
  ...list('AS112', 'an AS112 address', '192.31.196.0/24', '192.175.48.0/24'),
  ...list('AMT', 'a multicast tunnel address', '192.52.193.0/24'),
];

/** Looked through in order. What is in none of them is public only inside `publicIPv6`. */
export const refusedIPv6: readonly AddressRange[] = [
  ...list('cloud metadata', METADATA, 'fd00:ec2::254/128', 'fd00:ec2::23/128', 'fd20:ce::254/128'),
  ...list('loopback', 'a loopback address', '::1/128'),
  ...list('unspecified', 'an unspecified address', '::/128'),
  ...list('IPv4-compatible', 'an IPv4-compatible address', '::/96'),
  ...list('unique-local', 'a unique-local (private) address', 'fc00::/7'),
  ...list('link-local', 'a link-local address', 'fe80::/10'),
  ...list('site-local', 'a site-local address', 'fec0::/10'),
  ...list('multicast', 'a multicast address', 'ff00::/8'),
  ...list('documentation', 'a documentation address', '2001:db8::/32', '3fff::/20'),
  ...list('Teredo', 'a Teredo tunnel address', '2001::/32'),
  ...list('benchmarking', 'a benchmarking address', '2001:2::/48'),
  ...list('IETF protocol', 'an IETF protocol address', '2001::/23'),
  ...list('6to4', 'a 6to4 tunnel address', '2002::/16'),
  ...list('AS112', 'an AS112 address', '2620:4f:8000::/48'),
  ...list('NAT64', 'a local NAT64 address', '64:ff9b:1::/48'),
  ...list('discard', 'a discard-only address', '100::/64'),
  ...list('SRv6', 'a segment routing address', '5f00::/16'),
];

/** Global unicast: outside of it nothing in IPv6 is public, whatever it will be given to one day. */
export const publicIPv6 = '2000::/3';

/** IPv4 written as IPv6: the same address by another name. */
export const mappedIPv4 = '::ffff:0:0/96';

/** Public IPv4 addresses are reached through it from networks that have IPv6 only (RFC 6052). */
export const wellKnownNat64 = '64:ff9b::/96';
