/** The mark that a picture was made by a machine, as the IPTC names it, in XMP; on any platform. */
import { asMarkup } from '../../base/text.ts';

/** The keyword of XMP in PNG files. */
export const XMP_KEYWORD = 'XML:com.adobe.xmp';

const SOURCE_TYPES = 'http://cv.iptc.org/newscodes/digitalsourcetype/';

/** Wholly drawn by a model, or a composition in which such pictures are. */
export type MachineMade = 'trainedAlgorithmicMedia' | 'compositeWithTrainedAlgorithmicMedia';

/** An XMP packet that says so, and by which program. */
export function machineMadeXmp(kind: MachineMade, program: string): string {
  return [
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>',
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">',
    ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">',
    '  <rdf:Description rdf:about=""',
    '    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"',
    '    xmlns:xmp="http://ns.adobe.com/xap/1.0/"',
    `    Iptc4xmpExt:DigitalSourceType="${SOURCE_TYPES}${kind}"`,
    `    xmp:CreatorTool="${asMarkup(program)}"/>`,
    ' </rdf:RDF>',
    '</x:xmpmeta>',
    '<?xpacket end="w"?>',
  ].join('\n');
}
