/** `clipvq recipe`: a recipe as a file to change and to train by. */

import { Argument, Command } from 'commander';
import { recipeText } from '../recipe/file.ts';
import { presets } from '../recipe/recipe.ts';
import { recipeOf } from './choose-recipe.ts';
import { descriptions } from './command-names.ts';
import { assignment } from './options.ts';
import { printResult } from './output.ts';

interface RecipeOptions {
  readonly recipe?: string;
  readonly set?: Readonly<Record<string, string>>;
  readonly json?: boolean;
}

export function recipeCommand(): Command {
  return new Command('recipe')
    .description(descriptions.recipe)
    .addArgument(new Argument('[preset]', 'the preset to print (default: nano)').choices(Object.keys(presets)))
    .option('--recipe <file>', 'print this file with everything that it leaves out, instead of a preset')
    .option('--set <key=value>', 'change a setting; repeatable', assignment)
    .option('--json', 'print the recipe as one JSON document, which --recipe takes too')
    .option('--debug', 'show stack traces')
    .addHelpText(
      'after',
      '\nclipvq recipe small > mine.yaml, change it, and\nclipvq train --recipe mine.yaml --data <pictures> --run <dir>.\nWhat is left out of the file is as in its preset; an unknown name is refused\nwith the nearest one.',
    )
    .action(printRecipe);
}

function printRecipe(preset: string | undefined, { recipe: file, set, json }: RecipeOptions): void {
  const recipe = recipeOf({ preset, recipe: file, set });
  printResult(json ?? false, recipe, () => [
    '# clipvq train --recipe <this file> --data <pictures> --run <dir>',
    ...recipeText(recipe).trimEnd().split('\n'),
  ]);
}
