# SPDX-License-Identifier: Apache-2.0
# usage: perl st-edit.pl 'CODE' <IN >OUT: a safetensors file, changed.
#
# CODE sees %t, which by name has { dtype, shape, data }; $w is the name that
# the environment's W holds.  What is written lies end to end, in the order
# of the names that were there, then of those that are new: what CODE claims
# of types and shapes need not be so.
use strict;
use warnings;
use JSON::PP;

binmode STDIN;
binmode STDOUT;
local $/;
my $in = <STDIN>;
my $n = unpack 'Q<', $in;
my $h = decode_json(substr $in, 8, $n);
my $meta = delete $h->{__metadata__};
my $w = $ENV{W} // '';
our %t;
for my $name (keys %$h) {
	my ($from, $to) = @{ $h->{$name}{data_offsets} };
	$t{$name} = { dtype => $h->{$name}{dtype}, shape => $h->{$name}{shape},
	    data => substr($in, 8 + $n + $from, $to - $from), from => $from };
}

# f32 NUMBER: its bytes
sub f32 { pack 'f<', $_[0] }
# put PLACE, BYTES, NAME: over what is there
sub put { substr($t{$_[2]}{data}, $_[0], length $_[1]) = $_[1] }
# be NAME, dtype, SHAPE...: other claims
sub be { my $e = $t{shift()}; $e->{dtype} = shift; $e->{shape} = [@_] }
# cut NAME, N, SHAPE...: the first N bytes alone
sub cut {
	my $e = $t{shift()};
	$e->{data} = substr $e->{data}, 0, shift;
	$e->{shape} = [@_];
}
# first NAME, FILE: a side file, and what must come before the weights
sub first {
	open my $f, '<', $_[1] or die "$_[1]: $!";
	my $text = <$f>;
	$_->{from} = 0 for values %t;	# parts beside each other
	$t{"peft.file/$_[0]"} = { dtype => 'U8', shape => [length $text],
	    data => $text, from => -2 };
	$t{$_}{from} = -1 for grep /quant_state|weight_shape$/, keys %t;
}
# move FROM, TO: another name
sub move { $t{$_[1]} = delete $t{$_[0]} // die "no $_[0]" }
# state_of NAME, FROM, TO: what the JSON of a quant_state says
sub state_of {
	my $e = $t{"$_[0].quant_state.bitsandbytes__nf4"};
	$e->{data} =~ s/$_[1]/$_[2]/ or die "no $_[1]";
	$e->{shape} = [length $e->{data}];
}

eval $ARGV[0];
die $@ if $@;

my ($at, $data, %out) = (0, '');
for my $name (sort { ($t{$a}{from} // 1e18) <=> ($t{$b}{from} // 1e18) ||
    $a cmp $b } keys %t) {
	my $len = length $t{$name}{data};
	$out{$name} = { dtype => $t{$name}{dtype}, shape => $t{$name}{shape},
	    data_offsets => [$at, $at + $len] };
	$at += $len;
	$data .= $t{$name}{data};
}
$out{__metadata__} = $meta if $meta;
my $header = JSON::PP->new->canonical->encode(\%out);
$header .= ' ' while length($header) % 8;
print pack('Q<', length $header), $header, $data;
