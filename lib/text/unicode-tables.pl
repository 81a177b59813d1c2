#!/usr/bin/perl
# SPDX-License-Identifier: Apache-2.0
# Print lib/text/unicode-tables.inc: ranges of letters, numbers and white
# space, from the Unicode database that comes with perl.
use strict; use warnings; use Unicode::UCD;
print "/* SPDX-License-Identifier: Apache-2.0 */\n";
print "/* Made by unicode-tables.pl from Unicode ", Unicode::UCD::UnicodeVersion(), ". */\n\n";
my ($from, $was) = (0, 0);
print "static const struct range ranges[] = {\n";
for my $c (0 .. 0x110000) {
	no warnings;
	my $k = 0;
	if ($c < 0x110000 && !($c >= 0xd800 && $c <= 0xdfff)) {
		my $s = chr $c;
		$k = $s =~ /\p{L}/ ? "PEFT_LETTER" : $s =~ /\p{N}/ ? "PEFT_NUMBER" :
		    $s =~ /\p{White_Space}/ ? "PEFT_SPACE" : 0;
	}
	next if $k eq $was;
	printf "\t{ 0x%x, 0x%x, %s },\n", $from, $c - 1, $was if $was;
	($from, $was) = ($c, $k);
}
print "};\n";
