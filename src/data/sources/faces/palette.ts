/** The colours of faces, by name: the names are what captions say, the six hex digits what is drawn. */

export const backgrounds = {
  white: 'ffffff',
  gray: 'b4b8bf',
  blue: '7ab8ff',
  green: '93d89a',
  yellow: 'ffe47a',
  orange: 'ffb066',
  pink: 'ffb3cb',
  purple: 'bfa0ee',
} as const;

export const hairColors = {
  black: '2c1b18',
  darkBrown: '4a312c',
  brown: '724133',
  auburn: 'a55728',
  darkBlonde: 'b58143',
  blonde: 'd6b370',
  platinum: 'ecdcbf',
  red: 'c93305',
  pink: 'f59797',
  gray: 'e8e1e1',
} as const;

export const fabricColors = {
  black: '262e33',
  gray: '929598',
  white: 'ffffff',
  red: 'ff5c5c',
  pink: 'ffafb9',
  hotPink: 'ff488e',
  yellow: 'ffffb1',
  green: 'a7ffc4',
  lightBlue: '65c9ff',
  blue: '5199e4',
  navy: '25557c',
} as const;

export const skins = { light: 'ffdbb4', peach: 'edb98a', tan: 'd08b5b', brown: 'ae5d29', dark: '614335' } as const;

export type Background = keyof typeof backgrounds;
export type HairColor = keyof typeof hairColors;
export type FabricColor = keyof typeof fabricColors;
export type Skin = keyof typeof skins;
