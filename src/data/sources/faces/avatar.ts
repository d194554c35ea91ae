/** The SVG of a face: our attribute record as DiceBear options with one value each. */
import { avataaars } from '@dicebear/collection';
import { createAvatar, type Result } from '@dicebear/core';
import type { FaceAttributes } from './attributes.ts';
import { backgrounds, fabricColors, hairColors, skins } from './palette.ts';

/**
 * The DiceBear avatar of a record; its `toJson().extra` names what was drawn. Every choice is ours, none is left to
 * DiceBear's own seed.
 */
export function avatarOf(face: FaceAttributes, imageSize: number): Result {
  const { head, eyewear, facialHair, clothes } = face;
  return createAvatar(avataaars, {
    size: imageSize,
    backgroundColor: [backgrounds[face.background]],
    topProbability: head.kind === 'bald' ? 0 : 100,
    ...(head.kind === 'hair' && { top: [head.style], hairColor: [hairColors[head.color]] }),
    ...(head.kind === 'hat' && { top: [head.style], hatColor: [fabricColors[head.color]] }),
    accessoriesProbability: eyewear ? 100 : 0,
    ...(eyewear && { accessories: [eyewear.style], accessoriesColor: [fabricColors[eyewear.color]] }),
    facialHairProbability: facialHair ? 100 : 0,
    ...(facialHair && { facialHair: [facialHair.style], facialHairColor: [hairColors[facialHair.color]] }),
    clothing: [clothes.style],
    clothesColor: [fabricColors[clothes.color]],
    ...(clothes.graphic && { clothingGraphic: [clothes.graphic] }),
    skinColor: [skins[face.skin]],
    mouth: [face.mouth],
    eyes: [face.eyes],
    eyebrows: [face.eyebrows],
  });
}
