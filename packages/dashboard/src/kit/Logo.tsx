// The product's mark: a post horn.
export function Logo({ size = 24 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" className="logo">
      <rect width="32" height="32" rx="7" fill="var(--solid)" />
      <g fill="none" stroke="var(--on-solid)" strokeWidth="2.4" strokeLinecap="round" strokeLinejoin="round">
        <path d="M5.5 12.5h9.2" />
        <path d="M14.7 12.5c4.2 0 7.4-1.7 11.3-5v14.5c-2.6-2.2-4.7-3.6-7.3-4.4" />
        <circle cx="13.4" cy="18" r="5.4" />
      </g>
    </svg>
  );
}
