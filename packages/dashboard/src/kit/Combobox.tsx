// A choice of several from many, by typing.
import { Combobox as Base } from '@base-ui/react/combobox';
import { Check, ChevronsUpDown, X } from 'lucide-react';
import { useField } from './Field.tsx';
import './combobox.css';

export interface Option {
  value: string;
  label: string;
}

export function MultiCombobox({
  options,
  value,
  onChange,
  placeholder,
  empty = 'Nothing fits what you typed.',
}: {
  options: readonly Option[];
  value: readonly string[];
  onChange(value: string[]): void;
  placeholder: string;
  empty?: string;
}) {
  const ties = useField();
  const known = new Map(options.map((option) => [option.value, option]));
  const chosen = value.map((one) => known.get(one) ?? { value: one, label: one });
  return (
    <Base.Root
      items={options}
      multiple
      value={chosen}
      isItemEqualToValue={(a: Option, b: Option) => a.value === b.value}
      itemToStringLabel={(option: Option) => option.label}
      onValueChange={(next: Option[], details) => {
        // Escape closes the list; that it would also throw away what was chosen is nothing anybody expects.
        if (details.reason === 'escape-key') details.cancel();
        else onChange(next.map((option) => option.value));
      }}
    >
      <Base.InputGroup className="input combobox">
        <Base.Chips className="combobox-chips">
          {chosen.map((option) => (
            <Base.Chip key={option.value} className="combobox-chip" aria-label={option.label}>
              <bdi className="cut">{option.label}</bdi>
              <Base.ChipRemove className="combobox-remove" aria-label={`Remove ${option.label}`}>
                <X size={12} aria-hidden />
              </Base.ChipRemove>
            </Base.Chip>
          ))}
          <Base.Input
            {...ties}
            className="combobox-input"
            placeholder={chosen.length === 0 ? placeholder : ''}
            autoComplete="off"
            spellCheck={false}
          />
        </Base.Chips>
        <Base.Trigger className="combobox-open" aria-label="Show all">
          <ChevronsUpDown size={16} aria-hidden />
        </Base.Trigger>
      </Base.InputGroup>
      <Base.Portal>
        <Base.Positioner className="layer" sideOffset={6}>
          <Base.Popup className="menu combobox-popup">
            <Base.Empty className="combobox-empty">{empty}</Base.Empty>
            <Base.List>
              {(option: Option) => (
                <Base.Item key={option.value} value={option} className="menu-item">
                  <bdi className="cut grow">{option.label}</bdi>
                  <Base.ItemIndicator className="menu-check">
                    <Check size={16} aria-hidden />
                  </Base.ItemIndicator>
                </Base.Item>
              )}
            </Base.List>
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
