# bash completion for peft-train: made by `peft-train --completion=bash'
_peft_train() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi
	case $prev in
	--task) COMPREPLY=($(compgen -W 'causal-lm seq-cls token-cls' -- "$cur")); return ;;
	--problem) COMPREPLY=($(compgen -W 'single multi regression' -- "$cur")); return ;;
	--compute) COMPREPLY=($(compgen -W 'f32 bf16 int8' -- "$cur")); return ;;
	--completion) COMPREPLY=($(compgen -W 'bash zsh' -- "$cur")); return ;;
	esac
	if [[ $cur == -* ]]; then
		COMPREPLY=($(compgen -W ' -m --model= -o --output= --task= --problem= --method= --set= --rank= --alpha= --target= --dropout= --rslora -c --config= --init= --init-records= --loftq= -a --adapter= --train= --frozen= --lr= --epochs= --steps= --batch= --micro-tokens= --schedule= --warmup= --cycles= --min-lr-ratio= --power= --decay-steps= --plateau= --plateau-factor= --optimizer= --weight-decay= --clip= --beta1= --beta2= --eps= --loraplus= --label-smoothing= --z-loss= --neftune= --ema= --skip-spikes= --no-shuffle --eval= --eval-every= --patience= --log= --profile --plot= --svg= --save-every= --checkpoint= --keep-checkpoints= --resume --compute= --mem-limit= --partial --any-base -f --force -n --dry-run -j --threads= -s --seed= -q --quiet -v --verbose --log-json --completion= -h --help -V --version' -- "$cur"))
		[[ ${COMPREPLY-} == *= ]] && compopt -o nospace
	else
		compopt -o filenames
		COMPREPLY=($(compgen -f -- "$cur"))
	fi
}
complete -F _peft_train peft-train
